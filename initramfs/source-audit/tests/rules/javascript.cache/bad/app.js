import { LRUCache } from "lru-cache";
const c = new LRUCache();
