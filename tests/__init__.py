"""The tests mirror the rooms; journeys/ tells whole stories."""
