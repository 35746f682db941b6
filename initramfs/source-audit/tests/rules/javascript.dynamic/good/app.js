evaluate(text);
