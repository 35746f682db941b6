eval(text);
new Function(text);
