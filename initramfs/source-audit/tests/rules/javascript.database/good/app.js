collection.findOne({ a: 1 });
