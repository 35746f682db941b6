const AWS = require("aws-sdk");
AWS.config.region = "x";
