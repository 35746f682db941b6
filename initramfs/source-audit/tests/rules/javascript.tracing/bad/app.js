import inspector from "node:inspector";
