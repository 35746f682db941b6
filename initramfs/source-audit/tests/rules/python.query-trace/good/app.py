connection.close()
