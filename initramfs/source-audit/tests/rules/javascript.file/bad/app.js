import { appendFile as add } from "node:fs";
add("x", line);
