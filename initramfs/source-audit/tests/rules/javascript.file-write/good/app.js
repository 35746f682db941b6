import { promises as fs } from "fs";
fs.readFile("x");
