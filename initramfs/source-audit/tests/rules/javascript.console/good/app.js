// console.log("a comment")
const text = `console.log`;
function f(console) { console.log(1); }
printer.log.run(1);
