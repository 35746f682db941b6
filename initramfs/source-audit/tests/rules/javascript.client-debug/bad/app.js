const AWS = require("aws-sdk");
AWS.config.logger = out;
