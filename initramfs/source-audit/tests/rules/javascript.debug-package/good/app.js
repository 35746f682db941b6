const debug = require("./mode").debug;
