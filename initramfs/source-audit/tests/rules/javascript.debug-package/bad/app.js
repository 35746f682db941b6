const debug = require("debug")("app");
