import flask

app = flask.Flask(__name__)
app.logger.disabled = True
