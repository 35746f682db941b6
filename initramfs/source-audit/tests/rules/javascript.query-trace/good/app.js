mongoose.set("strictQuery", true);
