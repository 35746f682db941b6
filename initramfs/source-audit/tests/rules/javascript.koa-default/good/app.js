import Koa from "koa";
const app = new Koa();
app.silent = true;
