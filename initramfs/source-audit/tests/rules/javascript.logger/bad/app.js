import pino from "pino";
const out = pino();
out.info("x");
logger.warn(`${x}`);
