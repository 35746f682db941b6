try { g(); } catch (e) { res.send("failed"); }
