import { NestFactory } from "@nestjs/core";
NestFactory.create(App, { logger: false });
