const fastify = require("fastify")({ logger: true });
