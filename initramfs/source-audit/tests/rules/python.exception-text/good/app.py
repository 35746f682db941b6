from flask import jsonify


def f():
    try:
        g()
    except ValueError as e:
        return jsonify(error="bad value")
