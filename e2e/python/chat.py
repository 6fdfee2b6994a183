"""Two python-socketio clients chat; ends with "all is well", or with what went wrong."""

import queue
import sys

import socketio

url, first_token, second_token, conversation, transport = sys.argv[1:]
transports = None if transport == "upgrade" else [transport]


def connect(token):
    client = socketio.Client(reconnection=False)
    events = queue.Queue()
    for name in ("new_message", "message_notification", "user_typing"):
        client.on(name, lambda *arguments, name=name: events.put((name, arguments)))
    client.connect(url, auth={"token": token}, transports=transports, wait_timeout=10)
    return client, events


for bad in ({"token": "garbage"}, {}):
    try:
        socketio.Client(reconnection=False).connect(url, auth=bad, transports=transports, wait_timeout=10)
    except socketio.exceptions.ConnectionError:
        pass
    else:
        sys.exit(f"{bad} was let in")

first, first_events = connect(first_token)
second, second_events = connect(second_token)
assert first.call("join_conversation", conversation) == {"success": True}
assert second.call("join_conversation", conversation) == {"success": True}
assert first.call("join_conversation", "nowhere") == {"success": False, "message": "Conversation not found"}
assert first.call("typing", conversation) == {"success": True}
name, arguments = second_events.get(timeout=10)
assert (name, len(arguments)) == ("user_typing", 1), (name, arguments)
for number in range(20):
    answer = first.call("send_message", {"conversation_id": conversation, "text": f"número {number} 🐴"})
    assert answer["success"], answer
    name, arguments = second_events.get(timeout=10)
    assert (name, arguments) == ("new_message", (answer["data"],)), (name, arguments)
    name, arguments = second_events.get(timeout=10)
    assert name == "message_notification" and arguments[0]["preview"] == f"número {number} 🐴", arguments
    assert first_events.get(timeout=10) == ("new_message", (answer["data"],))
first.disconnect()
second.disconnect()
print("all is well")
