cursor.execute("INSERT INTO t VALUES (1)")
