import logging
from flask import Flask

logging.getLogger("werkzeug").disabled = True
app = Flask(__name__)
app.run()
