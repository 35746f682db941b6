const fastify = require("fastify")({ logger: false });
