import { DataSource } from "typeorm";
new DataSource({ type: "x", logging: true });
