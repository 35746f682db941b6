import traceback

text = traceback.format_exc()
