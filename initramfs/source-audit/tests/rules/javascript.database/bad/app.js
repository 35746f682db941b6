collection.insertOne({ a: 1 });
