import * as Sentry from "./sentry";
