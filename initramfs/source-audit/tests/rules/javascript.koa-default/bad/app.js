import Koa from "koa";
const app = new Koa();
