const fs = require("fs");
fs.createWriteStream("x", { flags: "a" });
