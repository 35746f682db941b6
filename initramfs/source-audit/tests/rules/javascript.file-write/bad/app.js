import { promises as fs } from "fs";
fs.writeFile("x", y);
