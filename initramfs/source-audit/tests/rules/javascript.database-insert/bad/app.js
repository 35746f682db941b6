db.query("INSERT INTO t VALUES (1)");
