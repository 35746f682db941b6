try { g(); } catch (e) { ctx.body = e.message; }
