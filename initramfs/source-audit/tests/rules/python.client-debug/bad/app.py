import boto3
import http.client as h

boto3.set_stream_logger("")
h.HTTPConnection.debuglevel = 1
