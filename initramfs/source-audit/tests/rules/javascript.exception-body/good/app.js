try { g(); } catch (e) { ctx.body = "failed"; }
