db.query("SELECT 1");
