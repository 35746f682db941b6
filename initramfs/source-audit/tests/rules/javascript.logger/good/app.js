dialog.error("x");
Math.log(2);
blog.create();
