import inspect from "./inspect";
