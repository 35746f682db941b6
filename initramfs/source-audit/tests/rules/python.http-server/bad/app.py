from http.server import BaseHTTPRequestHandler


class H(BaseHTTPRequestHandler):
    pass
