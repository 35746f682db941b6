import { readFile as add } from "node:fs";
add("x", done);
