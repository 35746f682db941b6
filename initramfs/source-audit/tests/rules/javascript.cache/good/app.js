import { Queue } from "queue";
const c = new Queue();
