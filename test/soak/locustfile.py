"""For locust, a load generator from PyPI: each user asks for 32 tokens again and again.

locust -f test/soak/locustfile.py --headless -u 16 -r 16 -t 20s --host http://127.0.0.1:8080
"""

from locust import HttpUser, task


class Asker(HttpUser):
    @task
    def ask(self):
        body = {"messages": [{"role": "user", "content": "Write about rivers."}], "max_tokens": 32, "temperature": 0}
        self.client.post("/v1/chat/completions", json=body)
