const { log: say } = console;
say("x");
promise.catch(console.error);
globalThis["console"]["warn"](1);
