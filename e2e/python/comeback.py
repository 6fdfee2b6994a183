"""A python-socketio client with its defaults, whose server ends in order and starts again.

Prints a line when it is connected, and again each time it has come back by itself; ends when its input does.
"""

import sys

import socketio

url, token, conversation, transport = sys.argv[1:]
client = socketio.Client(reconnection_delay=0.2)


@client.event
def connect():
    print("connected", flush=True)


@client.event
def disconnect(*_reason):
    print("disconnected", flush=True)


client.connect(url, auth={"token": token}, transports=None if transport == "upgrade" else [transport])
for line in sys.stdin:
    answer = client.call("send_message", {"conversation_id": conversation, "text": line.strip()})
    print("sent" if answer["success"] else answer, flush=True)
client.disconnect()
