const fs = require("fs");
fs.createReadStream("x", { flags: "r" });
