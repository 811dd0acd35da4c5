"""The chatroom with Flask-SocketIO: gevent, and a Redis message queue between the nodes.

Started with a port and the URL of Redis. Events and texts are those of the chat node.
"""

from gevent import monkey

monkey.patch_all()

import sys

from flask import Flask, request
from flask_socketio import SocketIO, send

PORT, REDIS = int(sys.argv[1]), sys.argv[2]

app = Flask(__name__)
socketio = SocketIO(app, async_mode="gevent", message_queue=REDIS, cors_allowed_origins="*")
names = {}


@socketio.on("connect")
def connect(auth=None):
    send("Welcome to the chatroom!")


@socketio.on("set_username")
def set_username(name):
    names[request.sid] = name
    send(f"Your username is set to {name}")


@socketio.on("message")
def message(text):
    send(f"{names[request.sid]}: {text}", broadcast=True)


@socketio.on("disconnect")
def disconnect(reason=None):
    names.pop(request.sid, None)


socketio.run(app, host="127.0.0.1", port=PORT, log_output=False)
