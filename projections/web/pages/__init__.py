"""The roster as pages for a browser: the data of the API's endpoints, written as HTML on the server."""
