import * as Sentry from "@sentry/node";
