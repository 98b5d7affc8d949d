"""Sends each request of the list on standard input with http.client, and prints a line with its status or error."""
import http.client
import json
import sys
import urllib.parse

for request in json.load(sys.stdin):
    url = urllib.parse.urlsplit(request["url"])
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=30)
    body = request["prefix"].encode().ljust(request["size"], b"x")
    try:
        connection.request(request["method"], url.path, body, dict(request["headers"]))
        answer = connection.getresponse()
        answer.read()
        print(answer.status)
    except (OSError, http.client.HTTPException) as error:
        print(type(error).__name__)
    finally:
        connection.close()
