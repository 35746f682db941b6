mongoose.set("debug", f);
