import { Sequelize } from "sequelize";
new Sequelize(url, { logging: false });
