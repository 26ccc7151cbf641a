"""What all our servers share: an application of parts, problem documents, headers, connections within bounds."""
