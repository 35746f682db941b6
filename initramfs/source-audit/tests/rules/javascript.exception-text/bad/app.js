f().catch((e) => res.status(500).json({ error: e.message }));
try { g(); } catch (e) { res.send(`${e}`); }
